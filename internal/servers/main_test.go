package servers_test

import (
	"os"
	"testing"

	"github.com/nestsession/session/internal/servers"
)

func TestMain(m *testing.M) { os.Exit(servers.Main(m)) }
