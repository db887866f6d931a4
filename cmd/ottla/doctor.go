package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/logstore"
)

func newDoctor() *cobra.Command {
	var o logstore.ExamineOptions
	var asJSON, quiet bool
	cmd := &cobra.Command{
		Use:   "doctor DIR...",
		Short: "Look for damage in data directories that no broker uses: exit code 1 if something is wrong",
		Long: `Looks at what a start would look at, and tells what it would come upon. With --scrub every batch is read: its checksum,
and its base offset, length, magic and leader epoch against its neighbours and the leader-epoch checkpoint; and every
index, snapshot and checkpoint against that. Nothing is changed. Each finding is a line: file, position, offset, what is
wrong, what to do.`,
		Args: cobra.MinimumNArgs(1),
	}
	cmd.Flags().BoolVar(&o.Scrub, "scrub", false, "read and verify everything")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print findings as JSON, one object a line")
	cmd.Flags().BoolVarP(&quiet, "quiet", "q", false, "no progress on standard error")
	cmd.RunE = func(cmd *cobra.Command, dirs []string) error {
		o.Found = printFindings(cmd.OutOrStdout(), asJSON)
		wrong := 0
		for _, dir := range dirs {
			if !quiet {
				o.Progress = printProgress(cmd.ErrOrStderr(), dir, time.Now)
			}
			began := time.Now()
			done, err := logstore.Examine(dir, o)
			if err != nil {
				return fmt.Errorf("doctor: %w", err)
			}
			wrong += done.Findings
			if !quiet {
				fmt.Fprintln(cmd.ErrOrStderr(), summary(dir, done, o.Scrub, time.Since(began)))
			}
		}
		if wrong > 0 {
			return fmt.Errorf("doctor: %d findings", wrong)
		}
		return nil
	}
	return cmd
}

func summary(dir string, e logstore.Examined, scrubbed bool, took time.Duration) string {
	s := fmt.Sprintf("%s: %d partitions, %d segments", dir, e.Partitions, e.Segments)
	if scrubbed {
		s += fmt.Sprintf(", %.1f MB verified at %.0f MB/s", float64(e.Bytes)/1e6, float64(e.Bytes)/1e6/max(took.Seconds(), 1e-3))
	}
	return fmt.Sprintf("%s: %d findings", s, e.Findings)
}

func printFindings(w io.Writer, asJSON bool) func(logstore.Finding) {
	if asJSON {
		lines := json.NewEncoder(w)
		return func(f logstore.Finding) { _ = lines.Encode(f) }
	}
	return func(f logstore.Finding) {
		var where strings.Builder
		where.WriteString(f.File)
		if f.Position >= 0 {
			fmt.Fprintf(&where, " byte %d", f.Position)
		}
		if f.Offset >= 0 {
			fmt.Fprintf(&where, " offset %d", f.Offset)
		}
		kind := "wrong"
		if f.Note {
			kind = "note"
		}
		fmt.Fprintf(w, "%s: %s: %s. To do: %s\n", kind, where.String(), f.What, f.Do)
	}
}

// printProgress says every 2 s how far it is.
func printProgress(w io.Writer, dir string, now func() time.Time) func(done, total int64) {
	last := now()
	return func(done, total int64) {
		if now().Sub(last) < 2*time.Second {
			return
		}
		last = now()
		fmt.Fprintf(w, "%s: %.1f of %.1f GB verified\n", dir, float64(done)/1e9, float64(total)/1e9)
	}
}
