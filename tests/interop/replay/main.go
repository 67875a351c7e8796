// Command replay replays recorded scenarios of express-session against the library.
//
//	go run ./tests/interop/replay DIR...
//
// It replays every scenario in the folders and those below (*.json with its
// *.expected.json), prints each difference, and ends with how many passed, failed,
// and differ on purpose. It exits with status 1 if any failed or there was none.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/nestsession/session/tests/interop/run"
	"github.com/nestsession/session/tests/interop/scenario"
)

func main() {
	os.Exit(replay(os.Args[1:], os.Stdout, os.Stderr))
}

func replay(folders []string, stdout, stderr io.Writer) int {
	if len(folders) == 0 {
		fmt.Fprintln(stderr, "usage: replay DIR...")
		return 2
	}
	cases, ignored, loadErr := scenario.Load(folders...)
	out := bufio.NewWriter(stdout)
	for _, path := range ignored {
		fmt.Fprintf(out, "%s: no scenarios in it\n", path)
	}
	failed, err := run.Report(out, run.All(cases))
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if loadErr != nil {
		fmt.Fprintln(stderr, loadErr)
	}
	if len(cases) == 0 {
		fmt.Fprintln(stderr, "no scenario found")
	}
	if failed > 0 || loadErr != nil || len(cases) == 0 {
		return 1
	}
	return 0
}
