// Command fixed notes how a bug that a run has found was fixed:
//
//	go run ./integration/results/fixed integration/crash/results.json ROW SEED 'what was done'
//
// or, where what was done begins with "not: ", why it is not.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ottla/ottla/integration/results"
)

func main() {
	if err := note(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func note(args []string) error {
	if len(args) != 4 {
		return fmt.Errorf("want FILE ROW SEED HOW")
	}
	row, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	if why, not := strings.CutPrefix(args[3], "not: "); not {
		return results.MarkStanding(args[0], row, seed, why)
	}
	return results.MarkFixed(args[0], row, seed, args[3])
}
