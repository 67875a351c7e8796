package linear

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nestsession/session/store/storetest"
)

// childVariable makes TestInChild check a broken store.
const childVariable = "LINEAR_BROKEN"

// Check fails the test and prints what a reader needs. A process of its own runs it, because it
// fails.
func TestCheckFailsTheTest(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestInChild$", "-test.v", "-test.artifacts", "-test.outputdir="+folder)
	child.Env = append(os.Environ(), childVariable+"=1")
	out, err := child.CombinedOutput()
	if err == nil {
		t.Error("a broken store passes")
	}
	for _, want := range []string{
		"--- FAIL: TestInChild/Swaps",
		"linear: Swaps, round ",
		"  Update(id",
		"  instance ",
		"the whole history is drawn in " + folder,
		`try again with Options{Seed: 0x2a, Topics: []Topic{"Swaps"}}`,
		"operations: Create ErrExists ",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not say %q", want)
		}
	}
	var drawings []string
	_ = filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".html" {
			drawings = append(drawings, path)
		}
		return err
	})
	if len(drawings) != 1 || !strings.Contains(string(out), drawings[0]) {
		t.Errorf("the drawings are %q, want the one that is named", drawings)
	}
	if t.Failed() {
		t.Logf("%s", out)
	}
}

func TestInChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		return // runs only in the child of TestCheckFailsTheTest
	}
	Check(t, func(*testing.T) storetest.Opened { return opened(flaws[0].bend) },
		Options{Seed: 42, Topics: []Topic{Swaps}})
}

// Without a folder, the drawing is written where it is not removed with the test.
func TestDrawingStays(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	path, err := drawing("", "x.html")
	if err != nil || !strings.HasPrefix(path, os.Getenv("TMPDIR")) {
		t.Errorf("drawing in %q, %v; want it below %s", path, err, os.Getenv("TMPDIR"))
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		t.Error(err)
	}
}

// A document that no client has written is shown as text.
func TestForeignContentIsShown(t *testing.T) {
	t.Parallel()
	data, owner := document(12)
	for want, c := range map[string]content{
		"document 12":              {data, owner},
		`of "user:9"`:              {data, "user:9"},
		`"{}" of ""`:               {"{}", ""},
		`{\"cookie\":{\"path\":\"`: {data + " ", owner},
		"xxx…":                     {strings.Repeat("x", 1000), ""},
	} {
		if got := describe(c); !strings.Contains(got, want) || len(got) > 200 {
			t.Errorf("describe(%q) = %s, want it to contain %s", c, got, want)
		}
	}
}
