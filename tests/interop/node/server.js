'use strict'

// Applications with the real express-session, for the live tests. Each element of
// the list in the first argument is one, under /<name>: its secrets, and a
// MemoryStore of its own. The first line printed is the port on loopback. The
// process ends when its standard input is closed, so that it never outlives the
// test.

const express = require('express')
const session = require('express-session')

const app = express()

for (const { name, secrets } of JSON.parse(process.argv[2])) {
  const store = new session.MemoryStore()
  const router = express.Router()

  // A record as another program stored it, and one as this one did.
  router.put('/records', express.text({ type: '*/*' }), (req, res) => {
    store.sessions[req.query.id] = req.body
    res.end()
  })
  router.get('/records', (req, res) => {
    res.type('json').end(store.sessions[req.query.id] ?? 'null')
  })

  router.use(session({
    store,
    secret: secrets,
    resave: false,
    saveUninitialized: false,
    genid: (req) => decodeURIComponent(req.get('X-New-ID')),
    cookie: { maxAge: 60 * 60 * 1000 }
  }))
  router.get('/write', (req, res) => {
    req.session.writer = 'node'
    req.session.visits = (req.session.visits || 0) + 1
    res.json({ id: req.sessionID })
  })
  router.get('/read', (req, res) => {
    const { cookie, ...data } = req.session
    res.json({ id: req.sessionID, data })
  })
  app.use('/' + name, router)
}

const server = app.listen(0, '127.0.0.1', (err) => {
  if (err) throw err
  console.log(server.address().port)
})

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
