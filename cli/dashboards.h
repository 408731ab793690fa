// `breakwater dashboards POLICY -o DIR`: a Grafana board and Prometheus rules for what this policy has, under its prefix.
#pragma once

#include <string>

#include "compiler/model/policy.h"

namespace cli {

struct DashboardsOptions {
  std::string file;    // - is standard input
  std::string output;  // a folder; made if it is not there
};

// Writes breakwater.json (Grafana 11 or later) and alerts.yml (Prometheus). Returns 0; 1 if the policy has errors; 2 if something
// cannot be read or written.
int RunDashboards(const DashboardsOptions& options);

// The two files. Rows and rules only for what the policy has.
std::string DashboardJson(const compiler::model::Policy& policy);
std::string AlertRules(const compiler::model::Policy& policy);

}  // namespace cli
