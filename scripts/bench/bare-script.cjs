/**
 * The least that holds the conversation of a verb, and prints a line: what such a process costs that does nothing besides.
 *
 *   node bare-script.cjs SOCKET CONVERSATION
 *
 * CONVERSATION is a JSON list of `{ "after": N, "request": {…} }`: a request, and how many messages have to have come before it is sent.
 */
"use strict";
const { connect } = require("node:net");

const [, , path, conversation] = process.argv;
const left = JSON.parse(conversation);
const total = left.length + 1; // the greeting, and a reply to each
let came = 0;
let text = "";

const socket = connect(path);
socket.setEncoding("utf8");
socket.on("data", (chunk) => {
  const lines = (text + chunk).split("\n");
  text = lines.pop();
  for (const line of lines) heed(JSON.parse(line));
});

function heed(message) {
  if (message.event !== undefined) return;
  came += 1;
  if (came === total) {
    process.stdout.write(`${JSON.stringify(message)}\n`);
    socket.end();
    return;
  }
  let requests = "";
  while (left.length > 0 && left[0].after <= came) requests += `${JSON.stringify(left.shift().request)}\n`;
  if (requests !== "") socket.write(requests);
}
