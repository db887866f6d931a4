// Package hostile attacks a running broker from its sockets: lengths that lie, batches that lie and bombs, requests of
// every API with values that no client sends, peers that are slow, that never read or that speak something else, floods,
// and names that want to be paths. The broker must answer with the right code or close; it must stay small, keep others
// served, keep its data valid and never panic.
//
// Figures (memory, latency, rates) are printed as lines with FIGURE. No test asserts time; memory is asserted against a
// plain build only, since a build with -race takes many times as much.
//
// OTTLA_HOSTILE=long makes floods and random requests as large as a long run allows.
package hostile
