// A client in the style of Node's own fetch: token by JSON, form data with a Blob, polling. Prints one JSON line.
const [base, clientId, clientSecret, receiver, secret, file] = process.argv.slice(2)
const { readFile } = await import('node:fs/promises')

async function call(method, path, { json, form } = {}) {
  const headers = { Authorization: `Bearer ${token}`, Accept: 'application/json' }
  if (json) headers['Content-Type'] = 'application/json'
  const answer = await fetch(base + path, { method, headers, body: json ? JSON.stringify(json) : form })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer.json()
}

const signedIn = await fetch(`${base}/oauth/token`, {
  method: 'POST',
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({
    grant_type: 'client_credentials',
    audience: 'https://api.ocrolus.com/',
    client_id: clientId,
    client_secret: clientSecret
  })
})
const { access_token: token } = await signedIn.json()

const settings = '/v1/account/settings'
const registered = await call('POST', `${settings}/update/webhook_endpoint`, {
  json: { webhook_endpoint: receiver, event: ['DOC_VERIFIED', 'BOOK_VERIFIED'] }
})
await call('POST', `${settings}/webhook/rotate-secret`, { json: { secret_key: secret } })
const tested = await call('GET', `${settings}/test_webhook_endpoint`)
const { response: book } = await call('POST', '/v1/book/add', { json: { name: 'Loan of Node', is_public: true, xid: '12-3' } })

const form = new FormData()
form.append('book_uuid', book.uuid)
form.append('upload', new Blob([await readFile(file)], { type: 'application/pdf' }), 'statement märz.pdf')
form.append('doc_name', 'March')
const uploaded = await call('POST', '/v1/book/upload', { form })

let status
for (let tries = 0; tries < 400 && status !== 'VERIFIED'; tries++) {
  status = (await call('GET', `/v1/book/status?book_uuid=${book.uuid}`)).response.book_status
  await new Promise((resolve) => setTimeout(resolve, 100))
}
console.log(JSON.stringify({
  registered: registered.response,
  tested: tested.response,
  isSafePk: Number.isSafeInteger(book.pk),
  name: uploaded.response.uploaded_docs[0].name,
  status
}))
