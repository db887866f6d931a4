import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

import org.apache.kafka.common.utils.Exit;

/**
 * Runs Kafka's command line tools one after the other in one JVM: a tool's start costs more than its work.
 *
 * Asked over a socket to the port given, by frames that kafkatools.go writes: a count, that many strings (class and
 * arguments), and the standard input. It answers with the exit code, the standard output and the standard error.
 */
public class Tools {
    /** Ends a tool where it exits. Tools that catch everything print it, so its text can be told and is cut out. */
    static final class Exited extends RuntimeException {
        static final String MARK = "<exited>";

        Exited() {
            super(MARK, null, false, false);
        }
    }

    /** The first exit code: some tools catch everything around their exit, and exit again. */
    static Integer exitCode;

    public static void main(String[] args) throws Exception {
        Exit.Procedure leave = (code, message) -> {
            if (exitCode == null) {
                exitCode = code;
            }
            throw new Exited();
        };
        Exit.setExitProcedure(leave);
        Exit.setHaltProcedure(leave);
        Exit.setShutdownHookAdder((name, hook) -> { });
        try (Socket socket = new Socket("127.0.0.1", Integer.parseInt(args[0]))) {
            DataInputStream in = new DataInputStream(socket.getInputStream());
            DataOutputStream out = new DataOutputStream(socket.getOutputStream());
            while (true) {
                answer(in, out);
            }
        } catch (EOFException end) {
            Runtime.getRuntime().halt(0); // threads that a tool left behind must not keep us
        }
    }

    static void answer(DataInputStream in, DataOutputStream out) throws Exception {
        String[] words = new String[in.readInt()];
        for (int i = 0; i < words.length; i++) {
            words[i] = new String(bytes(in), StandardCharsets.UTF_8);
        }
        byte[] input = bytes(in);
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        ByteArrayOutputStream complained = new ByteArrayOutputStream();
        System.setIn(new ByteArrayInputStream(input));
        System.setOut(new PrintStream(said, true, StandardCharsets.UTF_8));
        System.setErr(new PrintStream(complained, true, StandardCharsets.UTF_8));
        int code = run(words);
        System.out.flush();
        System.err.flush();
        out.writeInt(code);
        for (ByteArrayOutputStream stream : new ByteArrayOutputStream[] {said, complained}) {
            String text = stream.toString(StandardCharsets.UTF_8).replaceAll("(?m)^.*" + Exited.MARK + ".*\\R", "");
            byte[] encoded = text.getBytes(StandardCharsets.UTF_8);
            out.writeInt(encoded.length);
            out.write(encoded);
        }
        out.flush();
    }

    static int run(String[] words) {
        exitCode = null;
        String[] arguments = java.util.Arrays.copyOfRange(words, 1, words.length);
        try {
            Class.forName(words[0]).getMethod("main", String[].class).invoke(null, (Object) arguments);
        } catch (InvocationTargetException e) {
            if (!(e.getCause() instanceof Exited)) {
                e.getCause().printStackTrace();
                return 1;
            }
        } catch (ReflectiveOperationException e) {
            e.printStackTrace();
            return 127;
        }
        return exitCode == null ? 0 : exitCode;
    }

    static byte[] bytes(DataInputStream in) throws Exception {
        byte[] b = new byte[in.readInt()];
        in.readFully(b);
        return b;
    }
}
