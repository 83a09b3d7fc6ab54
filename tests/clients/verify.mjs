// Verifies one request as a Node receiver does. Standard input: {"headers", "body", "secret"}; prints true or false.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'

const { headers, body, secret } = JSON.parse(readFileSync(0, 'utf8'))
const message = `${headers['webhook-timestamp']}.${headers['webhook-request-id']}.${body}`
const expected = createHmac('sha256', secret).update(message).digest('hex')
console.log(timingSafeEqual(Buffer.from(expected), Buffer.from(headers['webhook-signature'])))
