package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"

	"github.com/nestsession/session/store/sqlstore"
)

// An operator who does not let applications make tables runs these.
func ExampleStatements() {
	statements, err := sqlstore.Statements(sqlstore.Config{Dialect: sqlstore.Postgres, Table: "sessions"})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range statements {
		fmt.Println(s + ";")
	}
	// Output:
	// CREATE TABLE IF NOT EXISTS "sessions" ("id" bytea PRIMARY KEY, "owner" bytea NOT NULL DEFAULT '', "expires" bigint NOT NULL, "due" bigint NOT NULL DEFAULT 0, "data" bytea NOT NULL) WITH (fillfactor = 80);
	// CREATE INDEX IF NOT EXISTS "sessions_owner_idx" ON "sessions" ("owner");
	// CREATE INDEX IF NOT EXISTS "sessions_due_idx" ON "sessions" ("due");
}

// The column that is added to the table of a Node application, so that its sessions
// can be found by owner.
func ExampleStatements_ownerColumn() {
	statements, err := sqlstore.Statements(sqlstore.Config{
		Dialect: sqlstore.MySQL, Layout: sqlstore.ExpressMySQLSession, OwnerColumn: "owner",
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range statements[1:] {
		fmt.Println(s + ";")
	}
	// Output:
	// ALTER TABLE `sessions` ADD COLUMN `owner` varbinary(1024);
	// ALTER TABLE `sessions` ADD KEY `sessions_owner_idx` (`owner`);
}

func ExampleNew() {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	kept, err := sqlstore.New(context.Background(), sqlstore.Config{DB: db, Dialect: sqlstore.Postgres, Create: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = kept.Close() }()
}
