// A client that keeps its token: each response may have a new one.
const base = process.argv[2]
let token

async function send(method, path) {
  const headers = { accept: 'application/json' }
  if (token) headers.authorization = `Bearer ${token}`
  const res = await fetch(base + path, { method, headers })
  if (res.headers.getSetCookie().length > 0) throw new Error(`${path} sets a cookie`)
  token = res.headers.get('x-session-token') ?? token
  const body = await res.json()
  token ??= body.token
  return body
}

await send('POST', '/login?user=node')
const before = token
await send('POST', '/renew')
const me = await send('GET', '/me')
const changed = token !== before
await send('POST', '/logout')
const after = await send('GET', '/me')
console.log(JSON.stringify({ me: me.user, changed, after: after.user }))
