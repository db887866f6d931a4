package api

// repeats finds what a request names twice. A few are compared one by one; a list of any length costs no more than a map.
type repeats[K comparable] struct {
	few []K
	all map[K]int
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
