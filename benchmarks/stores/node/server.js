'use strict'

// An application with express-session and one of its stores, with the routes that the
// benchmarks ask. The packages are those that tests/live has installed. The argument is
// JSON: { kind, url, file, secret, connections }. The first line printed is the address; the
// process ends when its standard input is closed.

const path = require('node:path')
const { createRequire } = require('node:module')

const load = createRequire(path.join(__dirname, '..', '..', '..', 'tests', 'live', 'node', 'package.json'))
const express = load('express')
const session = load('express-session')

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))

// The stores as their packages' documentation sets them up, with pools as large as ours.
const stores = {
  'connect-redis': async ({ url }) => {
    const { RedisStore } = load('connect-redis')
    return new RedisStore({ client: await load('redis').createClient({ url }).connect() })
  },
  'connect-pg-simple': async ({ url, connections }) => {
    const { Pool } = load('pg')
    const PgStore = load('connect-pg-simple')(session)
    return new PgStore({ pool: new Pool({ connectionString: url, max: connections }), createTableIfMissing: true })
  },
  'express-mysql-session': async ({ url, connections }) => {
    const { hostname: host, port, username: user, password, pathname } = new URL(url)
    const pool = load('mysql2/promise').createPool({
      host, port, user, password, database: pathname.slice(1), connectionLimit: connections
    })
    const MySQLStore = load('express-mysql-session')(session)
    const store = new MySQLStore({ createDatabaseTable: true }, pool)
    await store.onReady()
    return store
  },
  'better-sqlite3-session-store': async ({ file }) => {
    const client = new (load('better-sqlite3'))(file, { timeout: 5000 })
    client.pragma('journal_mode = WAL')
    client.pragma('synchronous = NORMAL')
    const SqliteStore = load('better-sqlite3-session-store')(session)
    return new SqliteStore({ client })
  }
}

const account = () => ({
  user: { id: 482113, name: 'Ann Example', email: 'a@example.com', since: '2026-01-01T00:00:00Z' },
  visits: 41,
  roles: ['member', 'editor', 'audit']
})

async function main (settings) {
  const store = await stores[settings.kind](settings)
  // Some packages make their table at the first use.
  await new Promise((resolve, reject) => store.get('nobody', (err) => err ? reject(err) : resolve()))
  const app = express()
  app.disable('x-powered-by')
  app.use(session({
    store,
    secret: settings.secret,
    resave: false,
    saveUninitialized: false,
    cookie: { path: '/', maxAge: 7 * 24 * 3600 * 1000 }
  }))
  app.get('/login', (req, res, next) => req.session.regenerate((err) => {
    if (err) return next(err)
    Object.assign(req.session, account())
    res.status(204).end()
  }))
  app.get('/read', (req, res) => res.status(req.session.user?.id === 482113 ? 204 : 401).end())
  app.get('/write', (req, res) => {
    req.session.visits++
    res.status(204).end()
  })
  const server = app.listen(0, '127.0.0.1', (err) => {
    if (err) throw err
    console.log('127.0.0.1:' + server.address().port)
  })
}

main(JSON.parse(process.argv[2]))
