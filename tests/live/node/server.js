'use strict'

// Applications with the real express-session, and one of NestJS, on one store of the
// real packages. The first argument says which:
//
//   { kind, url, nodes, file, creates, prefix, rollback, schema, secret, apps: [{ name, maxAge, rolling, cookie, domain }] }
//
// schema is express-mysql-session's; cookie is the name of an app's cookie, if it has its own.
// Each element of apps is served under /<name>. The first line printed is
// { "express": "host:port", "nest": "host:port" }. The process ends when its standard
// input is closed, so that it never outlives the test.

const express = require('express')
const session = require('express-session')
const stores = require('./stores')
const routes = require('./routes')

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))

async function main (settings) {
  const { makeStore, raw } = await stores[settings.kind](settings)
  const app = express()

  // What is stored, past express-session.
  app.get('/raw', async (req, res) => res.json(await raw.read(req.query.id)))
  app.put('/raw', express.json(), async (req, res) => {
    await raw.write(req.query.id, req.body)
    res.json({})
  })

  for (const { name, maxAge, rolling, cookie, domain } of settings.apps) {
    app.use('/' + name, session({
      store: await makeStore(),
      name: cookie,
      secret: settings.secret,
      resave: false,
      saveUninitialized: false,
      rolling,
      cookie: { path: '/', maxAge: maxAge || undefined, domain }
    }), routes())
  }

  const nestStore = await makeStore()
  // Some packages make their table at the first use.
  await new Promise((resolve, reject) => nestStore.get('nobody', (err) => err ? reject(err) : resolve()))

  const server = app.listen(0, '127.0.0.1', async (err) => {
    if (err) throw err
    const nest = await require('./nest/dist/main').start(nestStore)
    console.log(JSON.stringify({ express: '127.0.0.1:' + server.address().port, nest: '127.0.0.1:' + nest }))
  })
}

main(JSON.parse(process.argv[2]))
