// SPDX-License-Identifier: Apache-2.0
// Values out of DCMTK's tree, checked. Private to imaging/.
#pragma once
#include <dcmtk/config/osconfig.h>
// after osconfig.h
#include <dcmtk/dcmdata/dcfcache.h>
#include <dcmtk/dcmdata/dctk.h>

#include <optional>
#include <string>
#include <vector>

#include "core/affine.h"

namespace scintigen {

/// "(0020,0032)"
std::string dicom_tag_text(const DcmTagKey& tag);

/// The whole value of a text element, trailing blanks removed; "" where it is missing or empty.
std::string dicom_text(DcmItem& item, const DcmTagKey& tag, unsigned long position = 0);

/// Every number of an element; empty where it is missing or has no value.
/// throws  Error naming the tag: not a number, not finite, more than `limit` of them
std::vector<double> dicom_numbers(DcmItem& item, const DcmTagKey& tag, size_t limit = 100000);

std::optional<double> dicom_number(DcmItem& item, const DcmTagKey& tag);

/// throws  Error: missing, or outside low..high
int64_t dicom_whole(DcmItem& item, const DcmTagKey& tag, int64_t low, int64_t high);

/// Item `index` of a sequence; nullptr where there is none.
DcmItem* dicom_item(DcmItem& item, const DcmTagKey& sequence, unsigned long index = 0);

/// How many items a sequence has.
int64_t dicom_item_count(DcmItem& item, const DcmTagKey& sequence);

/// Silences DCMTK (its warnings quote values) and registers its decoders, once.
/// throws  Error: its data dictionary is missing
void prepare_dcmtk();

}  // namespace scintigen
