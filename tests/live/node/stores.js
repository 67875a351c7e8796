'use strict'

// The stores that express-session applications run, each as its package's own
// documentation sets it up. A maker takes { url, nodes, file, creates, prefix, rollback, schema } and answers
// { makeStore, raw }: makeStore makes one (each session middleware needs its own:
// it puts its generator of sessions there), raw is the row or key behind a session, read and
// written past the package, as a text and an expiry in ms since 1970:
//
//   raw.read(id)                     { text, expires }, or null
//   raw.write(id, { text, expires }) changes what is there; each is optional

const session = require('express-session')

async function connectRedis ({ url, nodes, prefix }) {
  const { RedisStore } = require('connect-redis')
  const redis = require('redis')
  const { password } = new URL(url) // of the nodes that the cluster names
  const client = nodes
    ? redis.createCluster({ rootNodes: nodes.map((url) => ({ url })), defaults: { password } })
    : redis.createClient({ url })
  await client.connect()
  const key = (id) => (prefix ?? 'sess:') + id
  return {
    makeStore: () => new RedisStore({ client, prefix }),
    raw: {
      read: async (id) => {
        const [text, left] = await Promise.all([client.get(key(id)), client.pTTL(key(id))])
        return text === null ? null : { text, expires: left < 0 ? null : Date.now() + left }
      },
      write: async (id, { text, expires }) => {
        if (text !== undefined) await client.set(key(id), text, { condition: 'XX', expiration: 'KEEPTTL' })
        if (expires !== undefined) await client.pExpireAt(key(id), expires)
      }
    }
  }
}

// connect-pg-simple; the URL may set the time zone of its connections.
async function connectPgSimple ({ url, creates }) {
  const { Pool } = require('pg')
  const pool = new Pool({ connectionString: url, max: 4 })
  const PgStore = require('connect-pg-simple')(session)
  return {
    makeStore: () => new PgStore({ pool, createTableIfMissing: creates, pruneSessionInterval: false }),
    raw: {
      read: async (id) => {
        // The zone of the connection is put onto the column's time, as the package does.
        const { rows } = await pool.query(
          'SELECT sess::text AS text, extract(epoch FROM expire::timestamptz) * 1000 AS expires FROM session WHERE sid = $1', [id])
        return rows.length ? { text: rows[0].text, expires: Number(rows[0].expires) } : null
      },
      write: async (id, { text, expires }) => {
        if (text !== undefined) await pool.query('UPDATE session SET sess = $2 WHERE sid = $1', [id, text])
        if (expires !== undefined) await pool.query('UPDATE session SET expire = to_timestamp($2) WHERE sid = $1', [id, expires / 1000])
      }
    }
  }
}

async function expressMySQLSession ({ url, creates, schema }) {
  const { hostname, port, username, password, pathname } = new URL(url)
  const options = {
    host: hostname,
    port: Number(port),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
    database: pathname.slice(1),
    connectionLimit: 4
  }
  const MySQLStore = require('express-mysql-session')(session)
  const pool = require('mysql2/promise').createPool(options)
  return {
    makeStore: async () => {
      const store = new MySQLStore({ createDatabaseTable: creates, schema }, pool)
      await store.onReady()
      return store
    },
    raw: {
      read: async (id) => {
        const [rows] = await pool.query('SELECT data, expires FROM sessions WHERE session_id = ?', [id])
        return rows.length ? { text: rows[0].data, expires: rows[0].expires * 1000 } : null
      },
      write: async (id, { text, expires }) => {
        if (text !== undefined) await pool.query('UPDATE sessions SET data = ? WHERE session_id = ?', [text, id])
        if (expires !== undefined) await pool.query('UPDATE sessions SET expires = ? WHERE session_id = ?', [Math.round(expires / 1000), id])
      }
    }
  }
}

async function connectSQLite3 ({ file, rollback }) {
  const sqlite3 = require('sqlite3')
  const db = new sqlite3.Database(file)
  db.configure('busyTimeout', 10000)
  // One statement after the other. Otherwise a write may start while a read of the same
  // connection is open, which SQLite refuses with SQLITE_BUSY, without waiting, as soon as
  // another process (of Node as well) has written in between.
  db.serialize()
  const SQLiteStore = require('connect-sqlite3')(session)
  const ask = (method, sql, ...params) => new Promise((resolve, reject) =>
    db[method](sql, params, (err, row) => err ? reject(err) : resolve(row)))
  return {
    makeStore: async () => {
      const store = new SQLiteStore({ db, concurrentDb: !rollback })
      await new Promise((resolve) => store.client.once('connect', resolve))
      return store
    },
    raw: {
      read: async (id) => {
        const row = await ask('get', 'SELECT sess AS text, expired AS expires FROM sessions WHERE sid = ?', id)
        return row ?? null
      },
      write: async (id, { text, expires }) => {
        if (text !== undefined) await ask('run', 'UPDATE sessions SET sess = ? WHERE sid = ?', text, id)
        if (expires !== undefined) await ask('run', 'UPDATE sessions SET expired = ? WHERE sid = ?', expires, id)
      }
    }
  }
}

async function betterSQLite3SessionStore ({ file, rollback }) {
  const db = new (require('better-sqlite3'))(file, { timeout: 10000 })
  if (!rollback) db.pragma('journal_mode = WAL')
  const SqliteStore = require('better-sqlite3-session-store')(session)
  return {
    makeStore: () => new SqliteStore({ client: db }),
    raw: {
      read: async (id) => {
        const row = db.prepare('SELECT sess AS text, expire FROM sessions WHERE sid = ?').get(id)
        return row ? { text: row.text, expires: Date.parse(row.expire) } : null
      },
      write: async (id, { text, expires }) => {
        if (text !== undefined) db.prepare('UPDATE sessions SET sess = ? WHERE sid = ?').run(text, id)
        if (expires !== undefined) db.prepare('UPDATE sessions SET expire = ? WHERE sid = ?').run(new Date(expires).toISOString(), id)
      }
    }
  }
}

module.exports = {
  'connect-redis': connectRedis,
  'connect-pg-simple': connectPgSimple,
  'express-mysql-session': expressMySQLSession,
  'connect-sqlite3': connectSQLite3,
  'better-sqlite3-session-store': betterSQLite3SessionStore
}
