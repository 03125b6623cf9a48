"use strict";
// An Express app as its guide writes it.
const express = require("express");

const app = express();
app.disable("x-powered-by");
app.use((request, response, next) => {
  response.set("X-Content-Type-Options", "nosniff");
  next();
});
app.get("/", (request, response) => response.type("text").send("old"));
app.get("/health", (request, response) => response.json({ ok: true }));

const server = app.listen(Number(process.env.PORT), process.env.HOST);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
