package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/cmd/ottla/dump"
	"github.com/ottla/ottla/logstore"
	"github.com/ottla/ottla/logstore/vfs"
)

func newDump() *cobra.Command {
	o := dump.Options{FS: vfs.OS()}
	cmd := &cobra.Command{
		Use:   "dump PATH...",
		Short: "Print what stands in files of a data directory: exit code 1 if something in them is wrong",
		Long: `Prints segments, indexes, snapshots, checkpoints and the metadata log, in text or JSON. Of a partition's directory it
prints a line for each segment, of a data directory one for each log; --deep goes into every file. Nothing is changed,
and a broker may be using the directory: the end of a file may then be half-written, and is called wrong.`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&o.JSON, "json", false, "print JSON, one object a line")
	cmd.Flags().BoolVar(&o.Records, "records", false, "print the records of segments, those of internal topics decoded")
	cmd.Flags().BoolVar(&o.Raw, "raw", false, "with --records: do not decode those of internal topics")
	cmd.Flags().BoolVar(&o.Deep, "deep", false, "go into every file of a directory")
	cmd.RunE = func(cmd *cobra.Command, paths []string) error {
		wrong, err := dump.Paths(cmd.OutOrStdout(), paths, o)
		if err == nil && wrong > 0 {
			err = fmt.Errorf("dump: %d things are wrong", wrong)
		}
		return err
	}
	cmd.AddCommand(newDumpPlan())
	return cmd
}

func newDumpPlan() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plan DIR",
		Short: "Print what a start would do with a data directory, and do nothing: exit code 1 if something would not be served",
		Long: `Looks at a data directory as a start does, decides by the same tables (logstore/RECOVERY.md), and prints what they say. Not
a byte is written. It looks at one directory by itself: what several say of each other it does not know.`,
		Args: cobra.ExactArgs(1),
	}
	asJSON := cmd.Flags().Bool("json", false, "print JSON, one object")
	node := cmd.Flags().Int32("node-id", -1, "the node that would start on it (whose it is)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *node < 0 {
			*node = nodeOf(args[0])
		}
		plan, err := logstore.PlanOf(args[0], logstore.Options{NodeID: *node})
		if err != nil {
			return err
		}
		if *asJSON {
			out := json.NewEncoder(cmd.OutOrStdout())
			out.SetEscapeHTML(false)
			err = out.Encode(plan)
		} else {
			_, err = fmt.Fprint(cmd.OutOrStdout(), plan)
		}
		if err != nil {
			return err
		}
		return refusals(plan)
	}
	return cmd
}

// nodeOf is the node that a directory says it belongs to, 0 if it does not.
func nodeOf(dir string) int32 {
	b, err := os.ReadFile(filepath.Join(dir, "meta.properties"))
	if err != nil {
		return 0 // the plan says what that means
	}
	m, err := logstore.ParseMetaProperties(b)
	if err != nil {
		return 0
	}
	return m.NodeID
}

// refusals is an error for a directory, or logs in it, that would not be served.
func refusals(plan logstore.DirPlan) error {
	if plan.Refused != "" {
		return errors.New("the directory would be refused")
	}
	offline := 0
	for _, l := range plan.Logs {
		if l.Do == "offline" {
			offline++
		}
	}
	if offline > 0 {
		return fmt.Errorf("%d of %d logs would be offline", offline, len(plan.Logs))
	}
	return nil
}
