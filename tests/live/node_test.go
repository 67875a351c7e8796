package live_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nestsession/session/tests/internal/node"
)

// nodeSettings is the first argument of node/server.js.
type nodeSettings struct {
	Kind     string    `json:"kind"` // the npm package of the store
	URL      string    `json:"url,omitempty"`
	Nodes    []string  `json:"nodes,omitempty"` // URLs of a Redis Cluster's nodes
	File     string    `json:"file,omitempty"`
	Creates  bool      `json:"creates"` // whether the package makes its table
	Prefix   string    `json:"prefix,omitempty"`
	Rollback bool      `json:"rollback,omitempty"` // no write-ahead log in SQLite
	Schema   any       `json:"schema,omitempty"`   // of express-mysql-session
	Secret   string    `json:"secret"`
	Apps     []nodeApp `json:"apps"`
}

type nodeApp struct {
	Name    string `json:"name"`
	MaxAge  int64  `json:"maxAge"` // ms; 0: none
	Rolling bool   `json:"rolling"`
	Cookie  string `json:"cookie,omitempty"` // its name; "": connect.sid
	Domain  string `json:"domain,omitempty"`
}

// nodeAddresses is what it prints: where the two applications listen.
type nodeAddresses struct{ Express, Nest string }

// startNode starts the real express-session and NestJS. The process ends with the test.
func startNode(t *testing.T, settings nodeSettings) nodeAddresses {
	t.Helper()
	if err := installNode(); err != nil {
		t.Fatal(err)
	}
	// As node/nest/main.ts reads them; without TLS, the cookie must not be Secure.
	output := node.Start(t, "node", settings, "SESSION_SECRET="+settings.Secret, "NODE_ENV=none", "TZ=America/St_Johns")
	var addresses nodeAddresses
	if err := json.NewDecoder(output).Decode(&addresses); err != nil {
		t.Fatalf("node has not written its addresses: %v", err)
	}
	return addresses
}

// installNode installs the pinned packages, and compiles the NestJS application if its sources have
// changed.
var installNode = sync.OnceValue(func() error {
	if err := node.Install("node"); err != nil {
		return err
	}
	stale, err := staleBuild()
	if err != nil || !stale {
		return err
	}
	return node.NPM("node", "run", "build")
})

// staleBuild reports whether a source of the NestJS application is newer than the compiled files.
func staleBuild() (bool, error) {
	built, err := os.Stat("node/nest/dist/main.js")
	if err != nil {
		return true, nil
	}
	sources, err := fs.Glob(os.DirFS("node/nest"), "*.*s*")
	for _, name := range sources {
		info, err := os.Stat(filepath.Join("node/nest", name))
		if err != nil || info.ModTime().After(built.ModTime()) {
			return true, err
		}
	}
	return false, err
}
