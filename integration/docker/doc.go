// Package docker builds the container image and runs docker-compose.yml with a Docker engine of its own: a client on the
// host and one in a sibling container produce and consume with no setting, and the data outlives restart and kill.
//
// The engine needs root. Where none can be had the tests skip, and make test says so.
package docker
