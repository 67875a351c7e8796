package servers

import (
	"strconv"
	"sync/atomic"
)

// sequence names the databases of a server.
type sequence struct{ last atomic.Int64 }

// nextName is a name that this server has not seen.
func (s *sequence) nextName() string { return "test" + strconv.FormatInt(s.last.Add(1), 10) }
