package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ottla/ottla/coordinator/record"
	"github.com/ottla/ottla/protocol"
)

func TestFindQuotas(t *testing.T) {
	a, b := "a", "b"
	var records []Record
	for _, e := range [][]record.ClientQuotaEntityData{
		{{EntityType: UserEntity, EntityName: &a}}, {{EntityType: UserEntity, EntityName: nil}}, {{EntityType: ClientIDEntity, EntityName: &b}}, {{EntityType: UserEntity, EntityName: &a}, {EntityType: ClientIDEntity, EntityName: &b}},
		{{EntityType: UserEntity, EntityName: nil}, {EntityType: ClientIDEntity, EntityName: nil}}, {{EntityType: IPEntity, EntityName: &a}},
	} {
		records = append(records, &record.ClientQuotaRecord{Entity: e, Key: "producer_byte_rate", Value: float64(len(records))})
	}
	image, _, err := Empty().Apply(0, 0, records)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter []QuotaFilter
		strict bool
		want   string // the values found, or a code
	}{
		{nil, false, "0 1 2 3 4 5"},
		{nil, true, ""},
		{[]QuotaFilter{{UserEntity, MatchAny, nil}}, false, "0 1 3 4"},
		{[]QuotaFilter{{UserEntity, MatchAny, nil}}, true, "0 1"},
		{[]QuotaFilter{{UserEntity, MatchExact, &a}}, false, "0 3"},
		{[]QuotaFilter{{UserEntity, MatchExact, &b}}, false, ""},
		{[]QuotaFilter{{UserEntity, MatchDefault, nil}}, false, "1 4"},
		{[]QuotaFilter{{UserEntity, MatchDefault, nil}, {ClientIDEntity, MatchDefault, nil}}, true, "4"},
		{[]QuotaFilter{{UserEntity, MatchExact, &a}, {ClientIDEntity, MatchAny, nil}}, false, "3"},
		{[]QuotaFilter{{IPEntity, MatchAny, nil}}, false, "5"},
		{[]QuotaFilter{{UserEntity, MatchAny, nil}, {UserEntity, MatchDefault, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{UserEntity, MatchAny, nil}, {IPEntity, MatchDefault, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{"", MatchAny, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{"group", MatchAny, nil}}, false, "UNSUPPORTED_VERSION"},
		{[]QuotaFilter{{UserEntity, 3, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{UserEntity, -1, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{UserEntity, MatchExact, nil}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{UserEntity, MatchDefault, &a}}, false, "INVALID_REQUEST"},
		{[]QuotaFilter{{UserEntity, MatchAny, &a}}, false, "INVALID_REQUEST"},
	} {
		found, err := image.FindQuotas(c.filter, c.strict)
		got := protocol.CodeOf(err).String()
		if err == nil {
			values := map[float64]bool{}
			for q := range found {
				values[q.Values["producer_byte_rate"]] = true
			}
			var list []string
			for v := range 6 {
				if values[float64(v)] {
					list = append(list, fmt.Sprint(v))
				}
			}
			got = strings.Join(list, " ")
		}
		if got != c.want {
			t.Errorf("%+v strict=%v: %s, want %s", c.filter, c.strict, got, c.want)
		}
	}
}
