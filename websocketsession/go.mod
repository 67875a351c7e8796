module github.com/nestsession/session/websocketsession

go 1.26.0

require (
	github.com/coder/websocket v1.8.15
	github.com/nestsession/session v0.1.0
)
