// Package broker is the process as clients see it. START HERE.
//
//	broker.go      Open: the order of a start; Close: the order of a stop
//	sockets.go     the listening sockets; listener.go binds one
//	advertise.go   what clients are told where to go; gateway_*.go finds a container's gateway
//	register.go    this broker's entry in the metadata log
//	assign.go      in which data directories partitions are, for the metadata log
//	follow.go      what this broker does when the metadata changes: configs, partitions, coordinators
//	serve.go       limits, handlers' dependencies, accept
//	apis.go        THE API table: every API that is served
//	front.go       accept loops, limits on connections, drain
//	conn.go        one connection: frames in, answers out in order, back-pressure
//	exchange.go    one request and the place of its answer;  send*.go: bytes and file ranges onto the socket
//	pace.go        how slow a client may be in the midst of a request or an answer
//	dispatch.go    from a frame to its handler
//	metrics.go     what the network side counts;  store_metrics.go: what the data directory does;  events.go: what is logged;  complaints.go: how much of it clients can cause
//
// Below it: api, one file an API; partition, one replica; security, who may do what.
//
// # The path of a request
//
// conn.readRequests reads a frame → front.dispatch parses the header, finds the row of the API table and decodes the body →
// the row's handler in package api orders the request and returns → when the answer is true the handler's Request gives it
// to the exchange → conn.drain sends it when it is the oldest. Most answers are there when the handler returns; then the
// goroutine that read the request also writes the answer.
//
// # Goroutines
//
//	what                  started by            ends with                   awaited by
//	one a socket          front.accept          the socket's Close          front.drain
//	one a connection      front.start           the connection              front.drain
//	assigner.run, while   assigner.placed       nothing is to be noted      assigner.close
//	  partitions are made
//	drain, while answers  conn.answered         nothing is ready to send    conn.serve
//	  that came late are sent
//
// # Locks
//
// conn.mu guards the connection's queue and is held for no I/O. front.mu guards the set of connections. Neither is taken
// under the other, nor under a lock of another package: answers are given by goroutines that hold none.
package broker
