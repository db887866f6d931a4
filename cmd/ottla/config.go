package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/config"
)

func newConfig(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Print every key of the configuration, its value and where that comes from",
		Args:  cobra.NoArgs,
	}
	s := addSettings(cmd, env)
	asJSON := cmd.Flags().Bool("json", false, "print JSON, with documentation")
	set := cmd.Flags().Bool("only-set", false, "leave out what is at its default")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, warnings, err := s.load(cmd)
		for _, w := range warnings {
			fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
		}
		if err != nil {
			return err
		}
		rows := configRows(b, *set)
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), rows)
		}
		return printRows(cmd.OutOrStdout(), rows)
	}
	return cmd
}

// configRow is one key as `ottla config` shows it.
type configRow struct {
	Key     string  `json:"key"`
	Value   *string `json:"value"` // null where there is none, and where it is a secret
	Source  string  `json:"source"`
	Type    string  `json:"type"`
	Dynamic string  `json:"dynamic"`
	Allowed string  `json:"allowed"`
	Effect  string  `json:"effect"`
	Ours    bool    `json:"ours,omitempty"`
	Doc     string  `json:"documentation"`

	secret bool
}

func configRows(b *config.Broker, onlySet bool) []configRow {
	var rows []configRow
	for _, e := range b.Entries() {
		origin := b.Origin(e.Key)
		if onlySet && origin.Kind == config.FromDefault {
			continue
		}
		d := config.BrokerDef(e.Key)
		rows = append(rows, configRow{
			Key: string(e.Key), Value: e.Value, Source: origin.String(), Type: d.Type.String(), Dynamic: d.Mode.String(),
			Allowed: d.Allowed(), Effect: d.Effect.String(), Ours: d.Ours, Doc: d.Doc, secret: e.Sensitive,
		})
	}
	slices.SortFunc(rows, func(a, b configRow) int { return strings.Compare(a.Key, b.Key) })
	return rows
}

func printJSON(w io.Writer, rows []configRow) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	return out.Encode(rows)
}

func printRows(w io.Writer, rows []configRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		value := "(none)"
		switch {
		case r.secret && r.Source != "default":
			value = "[hidden]"
		case r.Value != nil && *r.Value == "":
			value = `""`
		case r.Value != nil:
			value = *r.Value
		}
		note := ""
		if r.Effect != config.Served.String() {
			note = r.Effect
		}
		fmt.Fprintln(table, strings.TrimRight(strings.Join([]string{r.Key, value, r.Source, note}, "\t"), "\t"))
	}
	return table.Flush()
}
