package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"shop/acting"
)

func report(err error) {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		fmt.Println(failure.Code, failure.Hint)
	} else {
		fmt.Println(err)
	}
}

func update(ctx context.Context) func(pgx.Tx) error {
	return func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update billing.customer set balance = 1 where id = 7")
		return err
	}
}

func main() {
	ctx := context.Background()
	pool, err := pgxpool.Connect(ctx, "pool_max_conns=1")
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	example(ctx, pool)
	report(acting.As(ctx, pool, acting.Who{}, update(ctx)))
	report(acting.As(ctx, pool, acting.Who{User: "bob"}, update(ctx)))
	report(acting.As(ctx, pool, acting.Who{User: "bob", Reason: "x"}, func(tx pgx.Tx) error {
		if err := update(ctx)(tx); err != nil {
			return err
		}
		return errors.New("changed my mind")
	}))
	_, err = pool.Exec(ctx, "update billing.customer set balance = 1 where id = 7")
	report(err)
}

func example(ctx context.Context, pool *pgxpool.Pool) {
	// EXAMPLE
	if err != nil {
		panic(err)
	}
}
