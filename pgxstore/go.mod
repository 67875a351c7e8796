module github.com/nestsession/session/pgxstore

go 1.26.0

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/nestsession/session v0.0.0
)

require github.com/anishathalye/porcupine v1.3.1 // indirect

require (
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/nestsession/session/internal/servers v0.0.0
	github.com/nestsession/session/store/storetest/linear v0.0.0
	go.uber.org/goleak v1.3.0
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace github.com/nestsession/session => ../

replace github.com/nestsession/session/store/storetest/linear => ../store/storetest/linear

replace github.com/nestsession/session/internal/servers => ../internal/servers
