package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCommand is `nestsession version`.
type versionCommand struct{}

// Run prints the version.
func (versionCommand) Run(to output) error {
	info, _ := debug.ReadBuildInfo()
	fmt.Fprintf(to.out, "nestsession %s %s %s/%s\n", versionOf(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}

// versionOf returns the version that `go install` was given. A build in a clone has none: then it
// is (devel), with the revision if the go command recorded it.
func versionOf(info *debug.BuildInfo) string {
	if info == nil {
		return "(devel)"
	}
	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	revision := settings["vcs.revision"]
	switch {
	case revision != "" && settings["vcs.modified"] == "true":
		return "(devel) " + revision + " with changes"
	case revision != "":
		return "(devel) " + revision
	case info.Main.Version == "":
		return "(devel)"
	}
	return info.Main.Version
}
