package broker

import "testing"

func TestSplitDescriptors(t *testing.T) {
	for _, test := range []struct{ all, segments, sockets int }{
		{8, 2, 2},
		{64, 16, 16},
		{256, 80, 80},
		{1024, 464, 464},
		{20_000, 4096, 15_808},
		{1 << 20, 4096, 1<<20 - 4096 - 96},
	} {
		segments, sockets := splitDescriptors(test.all)
		if segments != test.segments || sockets != test.sockets {
			t.Errorf("of %d descriptors %d are for segments and %d for sockets, want %d and %d", test.all, segments, sockets, test.segments, test.sockets)
		}
	}
}
