package scenario

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const expectedSuffix = ".expected.json"

// Case is a scenario with express-session's results.
type Case struct {
	Name     string
	Scenario *Scenario
	Expected []Result // one a step
	Err      error    // why it cannot be replayed, or nil
}

// Load reads every scenario in the folders and those below. A file *.json has scenarios if it has a
// member "scenarios" or if its *.expected.json is beside it; other files are returned as ignored.
// The error joins the errors of files. The error of a scenario is in its Case.
func Load(folders ...string) (cases []Case, ignored []string, err error) {
	var errs []error
	for _, folder := range folders {
		walkErr := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(path, ".json") {
				return nil
			}
			if strings.HasSuffix(path, expectedSuffix) {
				if !exists(strings.TrimSuffix(path, expectedSuffix) + ".json") {
					errs = append(errs, fmt.Errorf("%s: no scenarios beside it", path))
				}
				return nil
			}
			some, is, err := loadFile(path)
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", path, err))
			}
			if !is {
				ignored = append(ignored, path)
			}
			cases = append(cases, some...)
			return nil
		})
		if walkErr != nil {
			errs = append(errs, walkErr)
		}
	}
	return cases, ignored, errors.Join(errs...)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// loadFile reads one file; is reports whether it has scenarios.
func loadFile(path string) (cases []Case, is bool, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, true, err
	}
	var top any
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, true, err
	}
	beside := strings.TrimSuffix(path, ".json") + expectedSuffix
	object, _ := top.(map[string]any)
	if _, says := object["scenarios"]; !says && !exists(beside) {
		return nil, false, nil
	}
	expected, err := os.ReadFile(beside)
	if err != nil {
		return nil, true, fmt.Errorf("nothing to compare with: %w", err)
	}
	cases, err = Parse(text, expected)
	return cases, true, err
}

// Parse reads the text of a file of scenarios and that of their results.
func Parse(scenarios, expected []byte) ([]Case, error) {
	var e Expected
	if err := strict(expected, &e); err != nil {
		return nil, fmt.Errorf("expectations: %w", err)
	}
	var group string
	var list []json.RawMessage
	if err := readObject(scenarios, fields{"group": &group, "scenarios": &list}); err != nil {
		return nil, err
	}
	var cases []Case
	for _, text := range list {
		s := new(Scenario)
		c := Case{Scenario: s, Err: strict(text, s)}
		c.Name = s.Name
		if c.Err == nil {
			results, found := e.Results[s.Name]
			c.Expected = results
			if !found {
				c.Err = errors.New("nothing is expected of it")
			} else if len(results) != len(s.Steps) {
				c.Err = fmt.Errorf("%d steps, but %d are expected", len(s.Steps), len(results))
			}
		}
		cases = append(cases, c)
	}
	var errs []error
	seen := map[string]bool{}
	for _, c := range cases {
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("scenario %q occurs twice", c.Name))
		}
		seen[c.Name] = true
	}
	for name := range e.Results {
		if !seen[name] {
			errs = append(errs, fmt.Errorf("expectation of %q: there is no such scenario", name))
		}
	}
	return cases, errors.Join(errs...)
}
