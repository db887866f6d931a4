// Command ottla is the broker and its tools: serve runs it, config shows what it would run with, health asks a running
// one, version says what this is.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is the process without the process: what was typed, what is in the environment, where to write, and the exit code.
func run(args, env []string, stdout, stderr io.Writer) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.Execute()
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "ottla: %v\n", err)
	return 1
}

func newRoot(env []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "ottla",
		Short:         "A broker that speaks Apache Kafka's protocol, in one process",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(newServe(env), newConfig(env), newHealth(env), newDump(), newDoctor(), newVersion())
	return root
}
