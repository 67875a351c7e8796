module github.com/nestsession/session/redisstore

go 1.26.0

require (
	github.com/nestsession/session v0.0.0
	github.com/nestsession/session/store/storetest/linear v0.0.0
	github.com/redis/rueidis v1.0.79
)

require (
	github.com/anishathalye/porcupine v1.3.1 // indirect
	github.com/nestsession/session/internal/servers v0.0.0
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/nestsession/session => ../

replace github.com/nestsession/session/store/storetest/linear => ../store/storetest/linear

replace github.com/nestsession/session/internal/servers => ../internal/servers
