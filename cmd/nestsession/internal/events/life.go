package events

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// Record is what was read of logs.
type Record struct {
	lines   []Line
	Skipped int // lines that are not events
}

// ReadFile adds a log: the file and its former ones.
func (r *Record) ReadFile(path string) (err error) {
	all, err := numbered(path)
	if err != nil {
		return err
	}
	// All are opened before one is read. A rotation meanwhile then makes a line appear twice at worst.
	var opened []*os.File
	defer func() {
		for _, f := range opened {
			err = errors.Join(err, f.Close())
		}
	}()
	paths := []string{path}
	for _, n := range all {
		paths = append(paths, former(path, n))
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) && len(all) > 0 {
			continue // it is being rotated
		}
		if err != nil {
			return err
		}
		opened = append(opened, f)
	}
	for _, f := range slices.Backward(opened) {
		if err := r.Read(f); err != nil {
			return err
		}
	}
	return nil
}

// Read adds lines.
func (r *Record) Read(from io.Reader) error {
	for in := bufio.NewReader(from); ; {
		text, err := in.ReadBytes('\n')
		if l, ok := parse(text); ok {
			r.lines = append(r.lines, l)
		} else if strings.TrimSpace(string(text)) != "" {
			r.Skipped++
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Len returns how many events were read.
func (r *Record) Len() int { return len(r.lines) }

// Begin returns the time of the first event.
func (r *Record) Begin() (t time.Time) {
	for i := range r.lines {
		if t.IsZero() || r.lines[i].Time.Before(t) {
			t = r.lines[i].Time
		}
	}
	return t
}

// Life is the events of one session, under all digests that it has had, sorted by time.
type Life struct {
	Session string // its last digest
	Lines   []Line
}

// minPrefix is the fewest characters of a digest that name a session.
const minPrefix = 4

// ErrNone reports that no event is about the session or owner.
var ErrNone = errors.New("no event")

// Find returns the life of the session with this digest, or with the only one that begins so.
func (r *Record) Find(name string) (Life, error) {
	if len(name) < minPrefix {
		return Life{}, fmt.Errorf("%q is too short to find a session: write at least %d characters of its digest", name, minPrefix)
	}
	lives := r.lives(func(l *Line, digest string) bool { return strings.HasPrefix(digest, name) })
	if len(lives) > 1 {
		lives = r.lives(func(l *Line, digest string) bool { return digest == name })
		if len(lives) == 0 {
			return Life{}, fmt.Errorf("the digests of several sessions begin with %q: write more characters", name)
		}
	}
	if len(lives) == 0 {
		return Life{}, ErrNone
	}
	return lives[0], nil
}

// FindOwner returns the lives of the owner's sessions, sorted by time.
func (r *Record) FindOwner(owner string) ([]Life, error) {
	lives := r.lives(func(l *Line, digest string) bool { return l.Owner == owner })
	apart := Life{}
	for _, l := range r.lines {
		if l.Owner == owner && l.Session == "" {
			apart.Lines = append(apart.Lines, l)
		}
	}
	if len(apart.Lines) > 0 {
		lives = append(lives, apart.sorted())
	}
	if len(lives) == 0 {
		return nil, ErrNone
	}
	return lives, nil
}

// lives returns the lives that have a line and a digest which match.
func (r *Record) lives(match func(l *Line, digest string) bool) []Life {
	next := map[string]string{} // leads from a digest to the same one for all digests of a session
	find := func(d string) string {
		for n := next[d]; n != ""; n = next[d] {
			if next[n] != "" {
				next[d] = next[n] // so that the way gets shorter each time
			}
			d = n
		}
		return d
	}
	wanted := map[string]bool{}
	for i := range r.lines {
		l := &r.lines[i]
		if a, b := find(l.Session), find(l.Former); l.Former != "" && l.Session != "" && a != b {
			next[b] = a
		}
	}
	for i := range r.lines {
		l := &r.lines[i]
		for _, d := range []string{l.Session, l.Former} {
			if d != "" && match(l, d) {
				wanted[find(d)] = true
			}
		}
	}
	found := map[string]*Life{}
	for _, l := range r.lines {
		root := find(l.Session)
		if l.Session == "" || !wanted[root] {
			continue
		}
		if found[root] == nil {
			found[root] = &Life{}
		}
		found[root].Lines = append(found[root].Lines, l)
	}
	var lives []Life
	for _, life := range found {
		lives = append(lives, life.sorted())
	}
	slices.SortFunc(lives, func(a, b Life) int { return a.Lines[0].Time.Compare(b.Lines[0].Time) })
	return lives
}

// sorted sorts the lines by time, and removes those that were read twice.
func (l Life) sorted() Life {
	slices.SortStableFunc(l.Lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	seen := map[Line]bool{}
	l.Lines = slices.DeleteFunc(l.Lines, func(line Line) bool {
		twice := seen[line]
		seen[line] = true
		return twice
	})
	for _, line := range l.Lines {
		if line.Former != "" || l.Session == "" {
			l.Session = line.Session
		}
	}
	return l
}

// LostIn returns the mentions of lost events since a life began: what was lost may belong to it.
func (r *Record) LostIn(l Life) []Line {
	var lost []Line
	for _, line := range r.lines {
		if line.Kind == KindLost && !line.Time.Before(l.Lines[0].Time) {
			lost = append(lost, line)
		}
	}
	return Life{Lines: lost}.sorted().Lines
}
