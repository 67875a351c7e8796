package servers

import "net/http"

// KeepConnections is for packages whose tests run at the same time over the default transport: a
// server of httptest that is closed also closes the idle connections of that transport, if it can.
// Call it before the tests begin.
func KeepConnections() { http.DefaultTransport = struct{ http.RoundTripper }{http.DefaultTransport} }
