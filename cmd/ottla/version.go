package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this is built from",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			_, err := fmt.Fprintln(cmd.OutOrStdout(), buildLine(info))
			return err
		},
	}
}

// buildLine says what a binary was built from, as far as the toolchain wrote it down.
func buildLine(info *debug.BuildInfo) string {
	version, facts := "(devel)", []string{}
	if info != nil {
		if info.Main.Version != "" {
			version = info.Main.Version
		}
		vcs := map[string]string{}
		for _, s := range info.Settings {
			vcs[s.Key] = s.Value
		}
		if revision := vcs["vcs.revision"]; revision != "" {
			facts = append(facts, "commit "+revision[:min(12, len(revision))])
		}
		if at := vcs["vcs.time"]; at != "" {
			facts = append(facts, at)
		}
		if vcs["vcs.modified"] == "true" {
			facts = append(facts, "with changes that are not committed")
		}
	}
	facts = append(facts, runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	return "ottla " + version + " (" + strings.Join(facts, ", ") + ")"
}
