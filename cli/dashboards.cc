#include "cli/dashboards.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string_view>
#include <system_error>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/write_file.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/expand/imports.h"

namespace cli {
namespace {

using compiler::model::Policy;
using Json = nlohmann::ordered_json;

enum class Needs : uint8_t { kAlways, kUpstream, kBreaker, kRetry, kQueue, kFallback, kCache, kKeepAlive, kHealth, kColdLoad, kTls };

bool Has(const Policy& policy, Needs needs) {
  const auto any_upstream = [&policy](auto has) { return std::any_of(policy.upstreams.begin(), policy.upstreams.end(), has); };
  const auto any_route = [&policy](auto has) { return std::any_of(policy.routes.begin(), policy.routes.end(), has); };
  switch (needs) {
    case Needs::kAlways: return true;
    case Needs::kTls: return !policy.gateway.tls.empty();
    case Needs::kUpstream: return any_upstream([](const auto&) { return true; });
    case Needs::kBreaker: return any_upstream([](const auto& upstream) { return upstream.breaker.has_value(); });
    case Needs::kRetry: return any_upstream([](const auto& upstream) { return upstream.retry.has_value(); });
    case Needs::kQueue: return any_upstream([](const auto& upstream) { return upstream.max_in_flight.has_value(); });
    case Needs::kHealth: return any_upstream([](const auto& upstream) { return upstream.health.has_value(); });
    case Needs::kColdLoad:
      return any_upstream([](const auto& upstream) { return upstream.cold_load.has_value() || upstream.keep_warm.has_value(); });
    case Needs::kFallback: return any_route([](const auto& route) { return !route.fallback.empty(); });
    case Needs::kCache: return policy.caches.begin() != policy.caches.end();
    case Needs::kKeepAlive: return any_route([](const auto& route) { return route.keep_alive.has_value(); });
  }
  return false;
}

enum class Row : uint8_t {
#define ROW(id, title) k_##id,
#include "cli/dashboard_panels.def"
};

struct RowInfo {
  Row row;
  std::string_view title;
};
constexpr RowInfo kRows[] = {
#define ROW(id, title) {Row::k_##id, title},
#include "cli/dashboard_panels.def"
};

struct PanelInfo {
  Row row;
  std::string_view title;
  Needs needs;
  std::string_view kind;
  std::string_view unit;
  std::string_view query;
  std::string_view legend;
  std::string_view doc;
};
constexpr PanelInfo kPanels[] = {
#define PANEL(row, title, needs, kind, unit, query, legend, doc) {Row::k_##row, title, Needs::k##needs, #kind, unit, query, legend, doc},
#include "cli/dashboard_panels.def"
};

struct AlertInfo {
  std::string_view name;
  Needs needs;
  std::string_view expr;
  std::string_view for_how_long;
  std::string_view severity;
  std::string_view summary;
  std::string_view action;
};
constexpr AlertInfo kAlerts[] = {
#define ALERT(name, needs, expr, for_how_long, severity, summary, action) {name, Needs::k##needs, expr, for_how_long, severity, summary, action},
#include "cli/dashboard_panels.def"
};

bool IsWordCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// P_ at the beginning of a name becomes `prefix`_, and the window W of a range `window`.
std::string Query(std::string_view query, std::string_view prefix, std::string_view window) {
  std::string result;
  for (size_t i = 0; i < query.size(); ++i) {
    const bool begins_name = i == 0 || !IsWordCharacter(query[i - 1]);
    if (begins_name && query.substr(i).starts_with("P_")) {
      result.append(prefix).push_back('_');
      ++i;
    } else if (query.substr(i).starts_with("[W]")) {
      result.append("[").append(window).append("]");
      i += 2;
    } else {
      result.push_back(query[i]);
    }
  }
  return result;
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const size_t at = text.find(';');
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

constexpr int kColumns = 24;  // of a board
constexpr int kPanelWidth = 8;
constexpr int kPanelHeight = 8;

Json PanelJson(const PanelInfo& info, int id, int x, int y) {
  Json panel;
  panel["id"] = id;
  panel["type"] = info.kind;
  panel["title"] = info.title;
  if (!info.doc.empty()) panel["description"] = info.doc;
  panel["gridPos"] = {{"h", kPanelHeight}, {"w", kPanelWidth}, {"x", x}, {"y", y}};
  panel["datasource"] = {{"type", "prometheus"}, {"uid", "${datasource}"}};
  Json defaults = {{"unit", info.unit}, {"min", 0}};
  if (info.query.ends_with("> 0")) defaults["noValue"] = "none";  // what never happened is no missing data
  if (info.title == "Breakers") {
    Json options = {{"0", {{"text", "CLOSED"}, {"color", "green"}, {"index", 0}}},
                    {"1", {{"text", "HALF_OPEN"}, {"color", "yellow"}, {"index", 1}}},
                    {"2", {{"text", "OPEN"}, {"color", "red"}, {"index", 2}}},
                    {"3", {{"text", "RESTING"}, {"color", "blue"}, {"index", 3}}}};
    defaults["mappings"] = Json::array({{{"type", "value"}, {"options", std::move(options)}}});
  }
  panel["fieldConfig"] = {{"defaults", std::move(defaults)}, {"overrides", Json::array()}};
  if (info.kind == "stat") {
    panel["options"] = {{"reduceOptions", {{"calcs", {"lastNotNull"}}, {"fields", ""}, {"values", false}}},
                        {"textMode", info.unit == "none" && info.title != "Breakers" ? "name" : "value_and_name"},
                        {"colorMode", "background"}};
  } else {
    panel["options"] = {{"legend", {{"displayMode", "list"}, {"placement", "bottom"}, {"showLegend", true}}},
                        {"tooltip", {{"mode", "multi"}, {"sort", "desc"}}}};
  }
  const auto queries = Split(info.query);
  const auto legends = Split(info.legend);
  panel["targets"] = Json::array();
  for (size_t i = 0; i < queries.size(); ++i) {
    panel["targets"].push_back({{"refId", std::string(1, static_cast<char>('A' + i))},
                                {"datasource", {{"type", "prometheus"}, {"uid", "${datasource}"}}},
                                {"expr", Query(queries[i], "${prefix}", "$__rate_interval")},
                                {"legendFormat", legends[std::min(i, legends.size() - 1)]}});
  }
  return panel;
}

// A scalar of YAML in double quotes: JSON's strings are among YAML's (YAML 1.2, 1.3).
std::string Quoted(std::string_view text) { return Json(text).dump(); }

}  // namespace

std::string DashboardJson(const Policy& policy) {
  Json board;
  board["title"] = "Breakwater";
  board["uid"] = "breakwater-" + policy.gateway.metrics_prefix;
  board["description"] = "Made by `breakwater dashboards`; changes are lost with the next one.";
  board["tags"] = {"breakwater"};
  board["schemaVersion"] = 39;  // Grafana 11
  board["version"] = 1;
  board["editable"] = true;
  board["graphTooltip"] = 1;
  board["refresh"] = "10s";
  board["timezone"] = "browser";
  board["time"] = {{"from", "now-1h"}, {"to", "now"}};
  board["annotations"] = {{"list", Json::array()}};
  board["links"] = Json::array();
  const std::string& prefix = policy.gateway.metrics_prefix;
  board["templating"]["list"] = Json::array(
      {{{"name", "datasource"}, {"label", "Data source"}, {"type", "datasource"}, {"query", "prometheus"}, {"hide", 0}},
       {{"name", "prefix"},
        {"label", "Prefix (metrics_prefix)"},
        {"type", "textbox"},
        {"query", prefix},
        {"current", {{"text", prefix}, {"value", prefix}}},
        {"options", Json::array({{{"text", prefix}, {"value", prefix}, {"selected", true}}})},
        {"hide", 0}}});
  board["panels"] = Json::array();
  int id = 0;
  int y = 0;
  for (const RowInfo& row : kRows) {
    std::vector<const PanelInfo*> panels;
    for (const PanelInfo& panel : kPanels) {
      if (panel.row == row.row && Has(policy, panel.needs)) panels.push_back(&panel);
    }
    if (panels.empty()) continue;
    board["panels"].push_back({{"id", ++id},
                               {"type", "row"},
                               {"title", row.title},
                               {"collapsed", false},
                               {"gridPos", {{"h", 1}, {"w", kColumns}, {"x", 0}, {"y", y}}},
                               {"panels", Json::array()}});
    ++y;
    int x = 0;
    for (const PanelInfo* panel : panels) {
      if (x == kColumns) {
        x = 0;
        y += kPanelHeight;
      }
      board["panels"].push_back(PanelJson(*panel, ++id, x, y));
      x += kPanelWidth;
    }
    y += kPanelHeight;
  }
  return board.dump(2) + "\n";
}

std::string AlertRules(const Policy& policy) {
  std::string text =
      "# Made by `breakwater dashboards`: rules for Prometheus. Thresholds are a beginning; copy the file and set your own.\n"
      "groups:\n  - name: breakwater\n    rules:\n";
  for (const AlertInfo& alert : kAlerts) {
    if (!Has(policy, alert.needs)) continue;
    text += "      - alert: " + std::string(alert.name) + "\n";
    text += "        expr: " + Quoted(Query(alert.expr, policy.gateway.metrics_prefix, "")) + "\n";
    text += "        for: " + std::string(alert.for_how_long) + "\n";
    text += "        labels: { severity: " + std::string(alert.severity) + " }\n";
    text += "        annotations:\n          summary: " + Quoted(alert.summary) + "\n          description: " + Quoted(alert.action) + "\n";
  }
  return text;
}

int RunDashboards(const DashboardsOptions& options) {
  std::string why;
  const auto input = ReadInput(options.file, &why);
  if (!input) {
    std::cerr << options.file << ": " << why << "\n";
    return kUnreadable;
  }
  compiler::diagnostics::Diagnostics diagnostics;
  const auto source = compiler::ReadSource(input->name, input->text, compiler::ImportsBeside(input->path));
  const auto written = compiler::CheckWritten(source, compiler::CompileOptions{}, &diagnostics);
  if (!written) {
    std::cerr << compiler::diagnostics::RenderAll(*source, diagnostics, {});
    return kFindings;
  }
  std::error_code error;
  std::filesystem::create_directories(options.output, error);
  const auto write = [&](const char* name, const std::string& text) {
    const std::string path = (std::filesystem::path(options.output) / name).string();
    if (WriteFileAtomically(path, text, &why)) return true;
    std::cerr << path << ": cannot be written: " << why << "\n";
    return false;
  };
  const bool written_both =
      write("breakwater.json", DashboardJson(written->policy)) && write("alerts.yml", AlertRules(written->policy));
  return written_both ? kClean : kUnreadable;
}

}  // namespace cli
