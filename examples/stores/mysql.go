package stores

import (
	"context"
	"database/sql"
	"io"
	"os"

	_ "github.com/go-sql-driver/mysql"

	"github.com/nestsession/session"
	"github.com/nestsession/session/store/sqlstore"
)

// MySQL keeps sessions in a table of MySQL or MariaDB.
func MySQL(ctx context.Context) (*Sessions, error) {
	db, err := sql.Open("mysql", os.Getenv("MYSQL_DSN")) // user:password@tcp(127.0.0.1:3306)/shop
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(20)
	db.SetMaxIdleConns(20)
	kept, err := sqlstore.New(ctx, sqlstore.Config{DB: db, Dialect: sqlstore.MySQL, Create: true})
	if err != nil {
		return nil, err
	}
	sessions, err := session.New[Account](session.Config{Secrets: []string{os.Getenv("SESSION_SECRET")}, Store: kept})
	if err != nil {
		return nil, err
	}
	return &Sessions{sessions, []io.Closer{db, kept}}, nil
}

// MySQLWithNode shares the sessions of a Node application on express-mysql-session 3.
func MySQLWithNode(ctx context.Context, db *sql.DB) (*sqlstore.Store, error) {
	return sqlstore.New(ctx, sqlstore.Config{
		DB: db, Dialect: sqlstore.MySQL,
		Layout:      sqlstore.ExpressMySQLSession,
		OwnerOf:     session.OwnerOf,
		OwnerColumn: "nest_owner", Create: true, // adds the column, so that an index finds sessions by owner
	})
}
