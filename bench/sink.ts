/** A vendor in a process of its own that takes everything; answers GET with how many it took. Prints its port. */
import { createServer } from 'node:http'

let taken = 0
const server = createServer((request, response) => {
  if (request.method === 'GET') return response.end(String(taken))
  request.resume().on('end', () => {
    taken += 1
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' && address ? address.port : 0)
})
