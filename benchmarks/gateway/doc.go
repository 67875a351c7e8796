// Package gateway measures the two ways in docs/gateway.md in one run: nginx, which asks /auth, beside
// `nestsession proxy`; and how soon a stream through the proxy ends when its session ends at another node.
//
//	go test -v ./gateway -turns 20 -requests 2000 -ends 200
package gateway
