module.exports = class Bull {}
