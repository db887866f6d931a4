package api

// repeats finds what a request names twice. The first costs nothing, a few are compared one by one, and a list of any
// length costs no more than a map.
type repeats[K comparable] struct {
	any   bool
	first K
	few   []K
	all   map[K]int
}

const repeatsFew = 16

// before returns the number under which key was given before, counting distinct keys from 0, or takes it as a new one.
func (r *repeats[K]) before(key K) (number int, again bool) {
	if r.all != nil {
		if number, again = r.all[key]; !again {
			r.all[key] = len(r.all)
		}
		return number, again
	}
	if !r.any {
		r.any, r.first = true, key
		return 0, false
	}
	if r.few == nil {
		r.few = append(make([]K, 0, repeatsFew), r.first)
	}
	for i := range r.few {
		if r.few[i] == key {
			return i, true
		}
	}
	if len(r.few) < repeatsFew {
		r.few = append(r.few, key)
		return len(r.few) - 1, false
	}
	r.all = make(map[K]int, 4*repeatsFew)
	for i, k := range r.few {
		r.all[k] = i
	}
	r.few = nil
	return r.before(key)
}
