package sqlitefile

import (
	"fmt"
	"os"
	"runtime"
)

// Access is what users other than the owner of a file may do with it, by its mode.
type Access struct {
	path             string
	mode             os.FileMode
	everybody, group os.FileMode // the bits of reading and writing
}

// AccessTo returns the access to a file or a folder. Nobody has access to a file that does not
// exist.
func AccessTo(path string) (Access, error) {
	info, err := os.Stat(path)
	if os.IsNotExist(err) || err == nil && runtime.GOOS == "windows" { // where files have no such modes
		return Access{path: path}, nil
	}
	if err != nil {
		return Access{}, err
	}
	return access(path, info), nil
}

func access(path string, info os.FileInfo) Access {
	const read, write = 0o4, 0o2
	bits := os.FileMode(read | write)
	if info.IsDir() {
		bits = write // the files in the folder have their own modes
		if info.Mode()&os.ModeSticky != 0 {
			bits = 0 // nobody can remove or replace another user's file there
		}
	}
	mode := info.Mode().Perm()
	return Access{path: path, mode: mode, everybody: mode & bits, group: mode >> 3 & bits}
}

// Anybody reports whether every user of the machine can read or write it.
func (a Access) Anybody() bool { return a.everybody != 0 }

// AnybodyWrites reports whether every user of the machine can change it.
func (a Access) AnybodyWrites() bool { return a.everybody&0o2 != 0 }

// String says in a sentence what others may do and how to change that; "" if nothing.
func (a Access) String() string {
	who, bits := "every user of the machine", a.everybody
	if bits == 0 {
		who, bits = "the users of its group", a.group
	}
	verb := map[os.FileMode]string{0o2: "written", 0o4: "read", 0o6: "read and written"}[bits]
	if verb == "" {
		return ""
	}
	return fmt.Sprintf("%s can be %s by %s (mode %04o): run `chmod go-rwx %s`", a.path, verb, who, a.mode, a.path)
}
