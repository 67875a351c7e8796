package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	scenarios = `{"group":"g","scenarios":[{"name":"g/one","options":{"secret":"s","resave":false,"saveUninitialized":false},
		"steps":[{"method":"GET","path":"/","cookies":"none","handler":[{"op":"has"},{"op":"end","body":"b"}]}]}]}`
	expected = `{"group":"g","results":{"g/one":{"steps":[{"status":200,"body":"b","headers":{},"cookies":[],
		"values":[{"i":0,"op":"has","value":true}],"calls":[],"store":{"main":{}}}]}}}`
)

// folder has the two files, one of them changed.
func folder(t *testing.T, scenarios, expected string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"g.json": scenarios, "g.expected.json": expected} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestExitStatusAndLastLine(t *testing.T) {
	t.Parallel()
	tagged := strings.Replace(scenarios, `"name":"g/one"`, `"name":"g/one","tags":["quirk:late-error"]`, 1)
	tagged = strings.Replace(tagged, `"saveUninitialized":false`, `"saveUninitialized":false,"name":"my sid"`, 1)
	for name, c := range map[string]struct {
		folders []string
		status  int
		says    string // the last line of the output
		prints  string // somewhere in the output or the errors
	}{
		"passes":               {[]string{folder(t, scenarios, expected)}, 0, "1 passed, 0 failed, 0 differ on purpose", ""},
		"twice":                {[]string{folder(t, scenarios, expected), folder(t, scenarios, expected)}, 0, "2 passed, 0 failed, 0 differ on purpose", ""},
		"differs":              {[]string{folder(t, scenarios, strings.Replace(expected, `"body":"b"`, `"body":"c"`, 1))}, 1, "0 passed, 1 failed, 0 differ on purpose", "FAILED: g/one, step 1: body\n  expected  \"c\"\n  got       \"b\"\n"},
		"differs on purpose":   {[]string{folder(t, tagged, expected)}, 0, "0 passed, 0 failed, 1 differ on purpose", "because"},
		"is refused":           {[]string{folder(t, strings.Replace(scenarios, `"secret":"s"`, `"secret":""`, 1), expected)}, 1, "0 passed, 1 failed, 0 differ on purpose", "refuses the configuration"},
		"unknown operation":    {[]string{folder(t, strings.Replace(scenarios, `"op":"has"`, `"op":"haz"`, 1), expected)}, 1, "0 passed, 1 failed, 0 differ on purpose", `unknown operation "haz"`},
		"unknown option":       {[]string{folder(t, strings.Replace(scenarios, `"resave"`, `"resafe"`, 1), expected)}, 1, "0 passed, 1 failed, 0 differ on purpose", `unknown member "resafe"`},
		"undefined":            {[]string{folder(t, strings.Replace(scenarios, `{"op":"has"}`, `{"op":"set","key":"n","value":"x"},{"op":"incr","key":"n"}`, 1), expected)}, 1, "0 passed, 1 failed, 0 differ on purpose", "the format does not say"},
		"unknown variant":      {[]string{folder(t, strings.Replace(scenarios, `"path":"/"`, `"path":"/","variant":"v"`, 1), expected)}, 1, "0 passed, 1 failed, 0 differ on purpose", `no variant "v"`},
		"no expectation":       {[]string{folder(t, scenarios, "")}, 1, "0 passed, 0 failed, 0 differ on purpose", "nothing to compare with"},
		"nothing there":        {[]string{t.TempDir()}, 1, "0 passed, 0 failed, 0 differ on purpose", "no scenario found"},
		"no such folder":       {[]string{filepath.Join(t.TempDir(), "none")}, 1, "0 passed, 0 failed, 0 differ on purpose", "no such file"},
		"half of it broken":    {[]string{folder(t, scenarios, expected), folder(t, scenarios, "")}, 1, "1 passed, 0 failed, 0 differ on purpose", "nothing to compare with"},
		"no folder at all":     {nil, 2, "", "usage"},
		"files of other kinds": {[]string{folder(t, `{"vectors":[]}`, "")}, 1, "0 passed, 0 failed, 0 differ on purpose", "no scenarios in it"},
	} {
		var out, errs strings.Builder
		status := replay(c.folders, &out, &errs)
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		if status != c.status || lines[len(lines)-1] != c.says || !strings.Contains(out.String()+errs.String(), c.prints) {
			t.Errorf("%s: status %d\n%s\n%s", name, status, out.String(), errs.String())
		}
	}
}
