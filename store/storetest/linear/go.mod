module github.com/nestsession/session/store/storetest/linear

go 1.26

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/nestsession/session v0.1.0
)
