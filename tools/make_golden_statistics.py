#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes tests/golden/metrics/statistics.json with SciPy, statsmodels and independent quadrature.

The build never needs this script; it is kept so that anyone can see where the golden numbers come from:
    python3 tools/make_golden_statistics.py
Oracles and their accuracy: tools/compare_statistics.py.
"""
import json
import math
import pathlib

import numpy
import scipy
import scipy.special
import scipy.stats
import statsmodels
import statsmodels.stats.contingency_tables
import statsmodels.stats.multitest
import statsmodels.stats.oneway
import statsmodels.stats.weightstats

from compare_statistics import dunnett_oracle, hedges_interval, signed_rank_oracle

MARGIN = 0.8


def groups_of(random, kind):
    if kind == "plain":
        return [random.normal(m, s, n) for m, s, n in ((0, 1, 12), (0.6, 1.5, 9), (-0.3, 0.7, 15))]
    if kind == "ties":
        return [numpy.round(2 * random.normal(m, 1, n)) for m, n in ((0, 14), (0.8, 11), (0.2, 9), (1.5, 10))]
    if kind == "two_each":
        return [random.normal(m, 1, 2) for m in (0, 2, 1)]
    if kind == "single":
        return [random.normal(0, 1, n) for n in (1, 6, 2)]
    return [1e6 + random.normal(m, 1, n) for m, n in ((0, 30), (0.5, 90))]  # large offset


def all_groups(groups):
    values = numpy.concatenate(groups)
    n, k = len(values), len(groups)
    f, p = scipy.stats.f_oneway(*groups)
    h, kruskal_p = scipy.stats.kruskal(*groups)
    means = [g.mean() for g in groups]
    between = sum(len(g) * (m - values.mean())**2 for g, m in zip(groups, means))
    total = ((values - values.mean())**2).sum()
    msw = (total - between) / (n - k)
    out = {"groups": [g.tolist() for g in groups],
           "anova": {"F": f, "df1": k - 1, "df2": n - k, "p": p, "eta_squared": between / total,
                     "omega_squared": (between - (k - 1) * msw) / (total + msw)},
           "kruskal": {"H": h, "df": k - 1, "p": kruskal_p}}
    if min(len(g) for g in groups) > 1:
        welch = statsmodels.stats.oneway.anova_oneway(groups, use_var="unequal")
        out["welch_anova"] = {"F": welch.statistic, "df1": welch.df[0], "df2": welch.df[1], "p": welch.pvalue}
    out["tukey"], out["games_howell"], out["dunnett"] = [], [], []
    tukey = scipy.stats.tukey_hsd(*groups) if min(len(g) for g in groups) > 1 else None
    interval = tukey.confidence_interval(0.95) if tukey else None
    for i in range(k):
        for j in range(i + 1, k):
            error = math.sqrt(msw / 2 * (1 / len(groups[i]) + 1 / len(groups[j])))
            entry = {"difference": means[i] - means[j], "df": n - k,
                     "p": scipy.stats.studentized_range.sf(abs(means[i] - means[j]) / error, k, n - k)}
            if tukey:
                entry["low"], entry["high"] = interval.low[i, j], interval.high[i, j]
            out["tukey"].append(entry)
            if min(len(groups[i]), len(groups[j])) < 2:
                out["games_howell"].append(None)
                continue
            a, b = (groups[x].var(ddof=1) / len(groups[x]) for x in (i, j))
            df = (a + b)**2 / (a**2 / (len(groups[i]) - 1) + b**2 / (len(groups[j]) - 1))
            out["games_howell"].append({"difference": means[i] - means[j], "df": df,
                                        "p": scipy.stats.studentized_range.sf(abs(means[i] - means[j]) / math.sqrt((a + b) / 2), k, df)})
    loadings = [math.sqrt(len(g) / (len(g) + len(groups[0]))) for g in groups[1:]]
    for i in range(1, k):
        t = (means[i] - means[0]) / math.sqrt(msw * (1 / len(groups[i]) + 1 / len(groups[0])))
        out["dunnett"].append({"difference": means[i] - means[0], "t": t, "df": n - k, "p": dunnett_oracle(abs(t), loadings, n - k)})
    return out


def two_groups(a, b):
    t, p = scipy.stats.ttest_ind(a, b, equal_var=False)
    low, high = statsmodels.stats.weightstats.CompareMeans.from_data(a, b).tconfint_diff(usevar="unequal")
    df = statsmodels.stats.weightstats.ttest_ind(a, b, usevar="unequal")[2]
    tost = statsmodels.stats.weightstats.ttost_ind(a, b, -MARGIN, MARGIN, usevar="unequal")
    u, u_p = scipy.stats.mannwhitneyu(a, b)
    d, d_p = scipy.stats.ks_2samp(a, b)
    n = len(a) + len(b)
    pooled = math.sqrt((a.var() * len(a) + b.var() * len(b)) / (n - 2))
    scale, effect = math.sqrt(len(a) * len(b) / n), (a.mean() - b.mean()) / pooled
    ends = hedges_interval(effect * scale, n - 2, scale)
    correction = math.exp(math.lgamma((n - 2) / 2) - math.lgamma((n - 3) / 2)) / math.sqrt((n - 2) / 2)
    return {"a": a.tolist(), "b": b.tolist(), "welch_t": {"t": t, "df": df, "p": p, "low": low, "high": high},
            "tost_welch": {"t_lower": tost[1][0], "t_upper": tost[2][0], "p": tost[0]},
            "mann_whitney": {"U": u, "p": u_p}, "ks": {"D": d, "p": d_p},
            "effect_size": {"cohens_d": effect, "hedges_g": correction * effect, "low": ends[0], "high": ends[1]}}


def pairs(a, b):
    d = a - b
    left = d[d != 0]
    t, p = scipy.stats.ttest_rel(a, b)
    low, high = statsmodels.stats.weightstats.DescrStatsW(d).tconfint_mean()
    w, normal = scipy.stats.wilcoxon(left, mode="approx")
    tost = statsmodels.stats.weightstats.ttost_paired(a, b, -MARGIN, MARGIN)
    return {"a": a.tolist(), "b": b.tolist(), "paired_t": {"t": t, "df": len(d) - 1, "p": p, "low": low, "high": high},
            "wilcoxon": {"W": w, "p_normal": normal, "p": signed_rank_oracle(left) if len(left) <= 50 else normal,
                         "zeros": int((d == 0).sum())},
            "tost_paired": {"t_lower": tost[1][0], "t_upper": tost[2][0], "p": tost[0]}}


def mcnemar(a, b):
    table = [[int(((a == i) & (b == j)).sum()) for j in (0, 1)] for i in (0, 1)]
    return {"a": a.tolist(), "b": b.tolist(), "p": statsmodels.stats.contingency_tables.mcnemar(table, exact=True).pvalue}


def distributions():
    out = {"studentized_range": [], "dunnett": [], "kolmogorov": [], "noncentrality": []}
    for k, df, q in ((2, 1, 3.0), (2, 5, 2.5), (3, 2, 4.0), (3, 10, 3.877), (4, 3.7, 0.5), (5, 30, 4.1), (10, 60, 6.0), (20, 120, 5.0),
                     (50, 400, 7.0), (3, 10000, 3.3), (3, 27, 9.0)):
        out["studentized_range"].append([q, k, df, scipy.stats.studentized_range.sf(q, k, df)])
    for loadings, df, t in (([0.5**0.5] * 2, 5, 2.0), ([0.5**0.5] * 4, 20, 2.65), ([0.9, 0.5, 0.3], 12, 1.1), ([0.999, 0.9, 0.2], 8, 2.3),
                            ([0.5], 3, 1.7), ([0.6] * 9, 100, 2.7), ([0.99] * 5, 2, 4.0)):
        out["dunnett"].append([t, loadings, df, dunnett_oracle(t, loadings, df)])
    for x in (0.1, 0.3, 0.7, 0.99, 1.0, 1.5, 3.0):
        out["kolmogorov"].append([x, scipy.special.kolmogorov(x)])
    for t, df in ((0.0, 5), (2.1, 2), (-3.3, 14), (12.0, 40)):
        out["noncentrality"].append([t, df] + hedges_interval(t, df, math.exp(math.lgamma(df / 2) - math.lgamma((df - 1) / 2)) / math.sqrt(df / 2)))
    return out


def main():
    random = numpy.random.default_rng(20221104)
    golden = {"oracle": f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {numpy.__version__}; "
                        "dunnett: nested scipy.integrate.quad; tools/make_golden_statistics.py", "margin": MARGIN}
    golden["distributions"] = distributions()
    golden["all_groups"] = {kind: all_groups(groups_of(random, kind)) for kind in ("plain", "ties", "two_each", "single", "offset")}
    golden["two_groups"] = {
        "small": two_groups(random.normal(0, 1, 7), random.normal(0.7, 2, 11)),
        "eight": two_groups(random.normal(0, 1, 8), random.normal(0.3, 1, 40)),
        "nine": two_groups(random.normal(0, 1, 9), random.normal(0.3, 1, 30)),
        "ties": two_groups(numpy.round(2 * random.normal(0, 1, 20)), numpy.round(2 * random.normal(1, 1, 15))),
        "two_each": two_groups(random.normal(0, 1, 2), random.normal(1, 1, 2)),
        "large": two_groups(random.normal(0, 1, 600), random.normal(0.1, 1, 500)),
        "apart": two_groups(random.normal(0, 1, 40), random.normal(6, 1, 30))}
    golden["pairs"] = {
        "small": pairs(random.normal(0, 1, 9), random.normal(0.6, 1, 9)),
        "ties": pairs(numpy.round(2 * random.normal(0, 1, 24)), numpy.round(2 * random.normal(0.7, 1, 24))),
        "fifty": pairs(random.normal(0, 1, 50), random.normal(0.3, 1, 50)),
        "beyond": pairs(numpy.round(4 * random.normal(0, 1, 90)), numpy.round(4 * random.normal(0.2, 1, 90))),
        "two": pairs(random.normal(0, 1, 2), random.normal(2, 1, 2))}
    golden["mcnemar"] = {name: mcnemar((random.random(n) < 0.7).astype(float), (random.random(n) < share).astype(float))
                         for name, n, share in (("small", 8, 0.4), ("large", 120, 0.55), ("same", 30, 0.7))}
    p = random.random(17)**3
    p[5] = p[9]
    golden["adjust"] = {"p": p.tolist(), "holm": statsmodels.stats.multitest.multipletests(p, method="holm")[1].tolist(),
                        "bh": statsmodels.stats.multitest.multipletests(p, method="fdr_bh")[1].tolist()}
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/golden/metrics/statistics.json"
    path.write_text(json.dumps(golden, indent=1, default=float) + "\n")


if __name__ == "__main__":
    main()
