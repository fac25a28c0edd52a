// Opens two pages with stompjs in a browser, one of this machine and one of somebody else, and prints as JSON what they
// have seen: `node pages.mjs BROWSER URL`.
import { readFile } from "node:fs/promises";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(`${process.cwd()}/`);
const { chromium } = require("playwright-core");
const modules = path.join(process.cwd(), "node_modules/@stomp/stompjs/esm6");
const [executablePath, url] = process.argv.slice(2);

// Runs in the page.
async function use(url) {
  const { Client } = await import("/index.js");
  const client = new Client({
    brokerURL: url,
    connectHeaders: { login: "guest", passcode: "guest" },
    reconnectDelay: 10,
    heartbeatIncoming: 1000,
    heartbeatOutgoing: 1000,
  });
  const seen = { closes: [], beats: 0 };
  let beaten;
  const thirdBeat = new Promise((resolve) => (beaten = resolve));
  client.debug = (line) => /<<< PONG/.test(line) && seen.beats < 3 && ++seen.beats === 3 && beaten();
  const connected = () => new Promise((resolve) => (client.onConnect = () => resolve(true)));
  const closed = new Promise((resolve) => {
    client.onWebSocketClose = ({ code, wasClean }) => resolve(!seen.closes.push({ code, wasClean }));
  });
  const first = connected();
  client.activate();
  if (!(await Promise.race([first, closed]))) {
    await client.deactivate();
    return seen;
  }

  const queue = `/queue/browser-${Math.random()}`;
  const octets = Uint8Array.from({ length: 300_000 }, (_, at) => (7 * at) & 255);
  const text = (message) =>
    message.binaryBody.length !== octets.length
      ? message.body
      : message.binaryBody.every((octet, at) => octet === octets[at]) && `${octets.length} octets`;
  const take = (count, headers) =>
    new Promise((resolve) => {
      const messages = [];
      client.subscribe(queue, (message) => messages.push(message) === count && resolve(messages), headers);
    });

  const delivered = take(3, { ack: "client-individual" });
  client.publish({ destination: queue, body: "größer €" });
  client.publish({ destination: queue, binaryBody: octets });
  const aborted = client.begin();
  client.publish({ destination: queue, body: "never", headers: { transaction: aborted.id } });
  aborted.abort();
  const committed = client.begin();
  client.publish({ destination: queue, body: "in a transaction", headers: { transaction: committed.id } });
  committed.commit();
  const messages = await delivered;
  seen.bodies = messages.map(text);
  messages[0].ack();
  messages[2].ack();
  await thirdBeat;

  const second = connected();
  client.forceDisconnect();
  await second;
  const [again] = await take(1);
  seen.again = [again.headers.redelivered, text(again)];
  await client.deactivate();
  return seen;
}

const server = http.createServer(async (request, response) => {
  const script = request.url !== "/";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? await readFile(path.join(modules, request.url)) : "<!doctype html><title>Segue</title>");
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--host-resolver-rules=MAP stranger.example 127.0.0.1"],
});
const seen = {};
for (const [name, host] of [["friend", "localhost"], ["stranger", "stranger.example"]]) {
  const page = await browser.newPage();
  await page.goto(`http://${host}:${port}/`);
  seen[name] = await page.evaluate(use, url);
}
await browser.close();
server.close();
console.log(JSON.stringify(seen));
