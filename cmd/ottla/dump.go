package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/logstore/dump"
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
	return cmd
}
