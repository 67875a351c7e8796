module github.com/nestsession/session/internal/servers

go 1.26
