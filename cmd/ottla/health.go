package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ottla/ottla/config"
)

// answerBytesMax is as much of an answer as is read.
const answerBytesMax = 4 << 10

func newHealth(env []string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the broker of this configuration whether it serves clients: exit code 0 for yes, 1 for no",
		Args:  cobra.NoArgs,
	}
	s := addSettings(cmd, env)
	timeout := cmd.Flags().Duration("timeout", 3*time.Second, "how long to wait for the answer")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		b, _, err := s.load(cmd)
		if err != nil {
			return err
		}
		address, err := askAt(b.String(config.HTTPListen))
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), *timeout)
		defer cancel()
		answer, err := askReady(ctx, address)
		if err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), answer)
		return nil
	}
	return cmd
}

// askAt is where to ask a broker that listens at HOST:PORT.
func askAt(listen string) (string, error) {
	if listen == "" {
		return "", fmt.Errorf("http.listen is empty: this broker has no HTTP side to ask")
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", err
	}
	if port == "0" {
		return "", fmt.Errorf("http.listen=%s picks a port at start: name the one that was picked, with --http", listen)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port), nil
}

// askReady asks /readyz and returns what it says; an error for anything but yes.
func askReady(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return "", err
	}
	// A proxy that the environment names is not between this process and its neighbour.
	client := &http.Client{Transport: &http.Transport{Proxy: nil, DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", fmt.Errorf("not ready: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, answerBytesMax))
	if err != nil {
		return "", err
	}
	answer := strings.TrimSpace(string(text))
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, nil
}
