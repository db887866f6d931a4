// Prints the golden batches of kafka-4.3.1.txt, one "name hex" a line:
//   java -cp '<kafka libs>/*' Golden.java > kafka-4.3.1.txt

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

public class Golden {
    static final long TIME = 1700000000000L;

    public static void main(String[] args) {
        print("plain", MemoryRecords.withRecords((byte) 2, 5L, Compression.NONE, TimestampType.CREATE_TIME, records()));
        print("idempotent", MemoryRecords.withIdempotentRecords((byte) 2, 5L, Compression.NONE, 4000L, (short) 3, 17, 9, records()));
        print("transactional", MemoryRecords.withTransactionalRecords((byte) 2, 5L, Compression.NONE, 4000L, (short) 3, 17, 9, records()));
        print("gzip", MemoryRecords.withRecords(Compression.gzip().build(), records()));
        print("snappy", MemoryRecords.withRecords(Compression.snappy().build(), records()));
        print("lz4", MemoryRecords.withRecords(Compression.lz4().build(), records()));
        print("zstd", MemoryRecords.withRecords(Compression.zstd().build(), records()));
        print("gzip-9", MemoryRecords.withRecords(Compression.gzip().level(9).build(), records()));
        print("lz4-17", MemoryRecords.withRecords(Compression.lz4().level(17).build(), records()));
        print("zstd-22", MemoryRecords.withRecords(Compression.zstd().level(22).build(), records()));
        print("commit", MemoryRecords.withEndTransactionMarker(77L, TIME, 9, 4000L, (short) 3,
            new EndTransactionMarker(ControlRecordType.COMMIT, 12)));
        print("abort", MemoryRecords.withEndTransactionMarker(77L, TIME, 9, 4000L, (short) 3,
            new EndTransactionMarker(ControlRecordType.ABORT, 12)));
        print("leader-change", MemoryRecords.withLeaderChangeMessage(0L, TIME, 2, ByteBuffer.allocate(256),
            new LeaderChangeMessage().setLeaderId(1)
                .setVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1), new LeaderChangeMessage.Voter().setVoterId(2)))
                .setGrantingVoters(List.of(new LeaderChangeMessage.Voter().setVoterId(1)))));
    }

    static SimpleRecord[] records() {
        Header[] headers = {new RecordHeader("h", "v".getBytes(StandardCharsets.UTF_8)), new RecordHeader("null", (byte[]) null)};
        return new SimpleRecord[]{
            new SimpleRecord(TIME, "key".getBytes(StandardCharsets.UTF_8), "value".getBytes(StandardCharsets.UTF_8), headers),
            new SimpleRecord(TIME - 5000, null, "later".getBytes(StandardCharsets.UTF_8)),
            new SimpleRecord(TIME + 100000, new byte[0], (byte[]) null),
            new SimpleRecord(TIME, "long".getBytes(StandardCharsets.UTF_8), "0123456789abcdef".repeat(8192).getBytes(StandardCharsets.UTF_8)),
        };
    }

    static void print(String name, MemoryRecords records) {
        byte[] bytes = new byte[records.sizeInBytes()];
        records.buffer().duplicate().get(bytes);
        if (bytes.length > 8192) // an uncompressed batch is known by its first bytes and a length
            System.out.println(name + " " + bytes.length + " " + HexFormat.of().formatHex(bytes, 0, 200));
        else
            System.out.println(name + " " + bytes.length + " " + HexFormat.of().formatHex(bytes));
    }
}
