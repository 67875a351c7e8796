'use strict'

// What the applications of this folder have in common: the stores, the account that is kept, and how
// they are started. The argument is JSON: { kind, url, file, secret, connections, rolling }. The
// first line printed is the address; the process ends when its standard input is closed.

const path = require('node:path')
const { createRequire } = require('node:module')

// The packages of express-session are those that tests/live has installed.
const load = createRequire(path.join(__dirname, '..', '..', '..', 'tests', 'live', 'node', 'package.json'))
const session = load('express-session')

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

// start calls listen with the settings and the store. listen returns the port.
async function start (listen) {
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
  const settings = JSON.parse(process.argv[2])
  const store = await stores[settings.kind](settings)
  // Some packages make their table at the first use.
  await new Promise((resolve, reject) => store.get('nobody', (err) => err ? reject(err) : resolve()))
  console.log('127.0.0.1:' + await listen(settings, store))
}

module.exports = { load, session, account, start, week: 7 * 24 * 3600 * 1000 }
